package dev.mullion.examples.ticker;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Receives a number of ticks, and says how many were missing between them. */
@Command(
    name = "ticker-client",
    showDefaultValues = true,
    description = "Receives a number of ticks, and says how many were missing between them.")
public final class TickerClient implements Callable<Integer> {
  @Parameters(paramLabel = "PORT", index = "0", description = "the server's port")
  private int port;

  @Parameters(paramLabel = "AUTHORITIES", index = "1", description = "certificates to trust, PEM")
  private Path authorities;

  @Parameters(paramLabel = "TICKS", index = "2", description = "how many ticks to receive")
  private int ticks;

  @Parameters(paramLabel = "MILLIS", index = "3", description = "milliseconds to take for each")
  private int millis;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private TickerClient() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new TickerClient()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (FramedClient client = FramedClient.builder()
        .host("localhost")
        .port(port)
        .tls(Tls.client().trusting(authorities))
        .inboundHighWaterMark(16 * 1024)
        .option(StandardSocketOptions.SO_RCVBUF, 64 * 1024)
        .connect()) {
      System.out.println(client.connection().tlsSession().getProtocol());
      receive(client);
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("ticker-client: " + e.getMessage());
      return 1;
    }
  }

  private void receive(FramedClient client) throws IOException, InterruptedException {
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
      if ((i + 1) % 100 == 0 && i + 1 < ticks) {
        System.err.println("received " + (i + 1) + " of " + ticks);
      }
      Thread.sleep(millis);
    }
    System.out.println("received " + ticks + ", missing " + missing);
  }

  private static long number(byte[] frame) {
    String text = new String(frame, UTF_8);
    return Long.parseLong(text.substring(0, text.indexOf(' ')));
  }
}
