package com.example.frames;

import dev.mullion.framing.tcp.FramedServer;
import java.io.IOException;

/** Echoes each frame until Ctrl-C. */
public final class FrameServer {
  private FrameServer() {}

  public static void main(String[] args) throws InterruptedException {
    try (FramedServer server = FramedServer.builder()
        .port(Integer.getInteger("port", 7000))
        .handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        })
        // On Ctrl-C, received frames are still answered.
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on " + server.address());
      server.awaitTermination();
    } catch (IOException e) {
      System.err.println("frame-server: " + e.getMessage());
      System.exit(1);
    }
  }
}
