"""What the tools of ``shapeinspect mcp`` answer, and where they may look."""
