"""shapeinspect: what goes into a layer and what comes out, in one convention for every framework."""
