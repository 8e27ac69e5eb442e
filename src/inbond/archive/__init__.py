"""Archive bytes + filename -> inspection. Pure: reads names, sizes, METADATA and RECORD, and inflates nothing else."""
