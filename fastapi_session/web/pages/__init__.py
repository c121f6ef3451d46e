"""Pages that the server renders: navigations, forms and HTMX, which have no script that refreshes for them."""
