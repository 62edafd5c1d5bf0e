module eventbus.example/client

go 1.22
