"""The arithmetic of shapes: one file a family of ops, one pure function a formula."""
