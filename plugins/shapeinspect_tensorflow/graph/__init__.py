"""GraphDef and SavedModel: from nodes to a model."""
