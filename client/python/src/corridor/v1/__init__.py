"""Messages and stubs of the API, generated from the .proto files when the package is built."""
