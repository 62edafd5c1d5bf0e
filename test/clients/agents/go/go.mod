module eventbus.example/agent

go 1.22

require eventbus.example/client v0.0.0

replace eventbus.example/client => ../../../../clients/go
