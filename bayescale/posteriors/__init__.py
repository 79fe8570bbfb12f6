"""What inference gives: posteriors of one law, of groups, of several laws, and checks of them."""
