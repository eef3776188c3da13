"""What the end-to-end tests stand on: a PostgreSQL cluster, a pgweir in front of it, a raw client."""
