"""Language models: components ask a server that the operator names."""
