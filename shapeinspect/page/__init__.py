"""A model as one HTML page: nested boxes, their places, what each card says, and the document itself."""
