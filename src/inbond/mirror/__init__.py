"""What crosses an air gap: what is synced, bundles out and in, trees for web servers, an index fed by imports."""
