"""How models/nano is made: pages are rendered, a small DeepSeek-OCR is trained on them and
measured."""
