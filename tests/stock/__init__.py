"""asyncua as it comes, with the same models as the agent: to compare with."""
