"""The web page in a real browser: fake_service.py serves it, files.py makes what is dropped."""
