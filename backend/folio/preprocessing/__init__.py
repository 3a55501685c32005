"""From a page image to the views that the model sees."""
