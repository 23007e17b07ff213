package dev.mullion.examples.ticker;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.file.Path;

/** Receives a number of ticks, and says how many were missing between them. */
public final class TickerClient {
  private TickerClient() {}

  /**
   * Runs it with a port, the PEM file of the authorities to trust, how many ticks to receive, and how
   * many milliseconds to take over each.
   */
  public static void main(String[] args) throws IOException, InterruptedException {
    int ticks = Integer.parseInt(args[2]);
    int millis = Integer.parseInt(args[3]);
    try (FramedClient client = FramedClient.builder()
        .host("localhost")
        .port(Integer.parseInt(args[0]))
        .tls(Tls.client().trusting(Path.of(args[1])))
        .inboundHighWaterMark(16 * 1024)
        .option(StandardSocketOptions.SO_RCVBUF, 64 * 1024)
        .connect()) {
      System.out.println(client.connection().tlsSession().getProtocol());
      receive(client, ticks, millis);
    }
  }

  private static void receive(FramedClient client, int ticks, int millis)
      throws IOException, InterruptedException {
    long last = 0;
    long missing = 0;
    for (int i = 0; i < ticks; i++) {
      byte[] frame = client.connection().receive();
      if (frame == null) {
        throw new IOException("the server has stopped");
      }
      long tick = number(frame);
      missing += i == 0 ? 0 : tick - last - 1;
      last = tick;
      Thread.sleep(millis);
    }
    System.out.println("received " + ticks + ", missing " + missing);
  }

  private static long number(byte[] frame) {
    String text = new String(frame, UTF_8);
    return Long.parseLong(text.substring(0, text.indexOf(' ')));
  }
}
