"""What the factors of database servers have in common: sessions and pools of connections."""
