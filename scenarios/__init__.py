"""One folder per document, one file per pattern. Copy any of them to write your own."""
