"""HTTP trigger: requests of clients in, responses out."""
