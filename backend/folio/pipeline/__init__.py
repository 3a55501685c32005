"""What OCR of a page means: prompts, the reading of the model's output, Markdown."""
