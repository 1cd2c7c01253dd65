// An Express service with a WebSocket that echoes, on $PORT.
const express = require("express");
const { WebSocketServer } = require("ws");

const app = express();
app.get("/", (request, response) => response.json({ instance: process.env.INSTANCE }));
app.get("/health/", (request, response) => response.send("ok"));
const server = app.listen(Number(process.env.PORT), "127.0.0.1");
new WebSocketServer({ server, path: "/socket" }).on("connection", (socket) => {
  socket.on("message", (data) => socket.send(`${process.env.INSTANCE} heard ${data}`));
});
