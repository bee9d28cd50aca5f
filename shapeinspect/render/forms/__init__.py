"""Other forms of the table: Markdown, CSV, a picture, a notebook; and the colors of pages."""
