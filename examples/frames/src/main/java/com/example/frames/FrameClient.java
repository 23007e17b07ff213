package com.example.frames;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.tcp.FramedClient;
import java.io.IOException;

/** Sends each argument as a frame, and prints the replies. */
public final class FrameClient {
  private FrameClient() {}

  public static void main(String[] args) {
    if (args.length == 0 || args[0].startsWith("-")) {
      System.err.println("usage: FrameClient TEXT...");
      System.exit(2);
    }
    try (FramedClient client =
        FramedClient.connect("127.0.0.1", Integer.getInteger("port", 7000))) {
      for (String text : args) {
        byte[] reply = client.request(text.getBytes(UTF_8)).join();
        System.out.println(new String(reply, UTF_8));
      }
    } catch (IOException e) {
      System.err.println("frame-client: " + e.getMessage());
      System.exit(1);
    }
  }
}
