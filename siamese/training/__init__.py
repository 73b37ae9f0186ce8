"""What training needs: network, losses, batches, teachers, checkpoints. What runs imports none of it."""
