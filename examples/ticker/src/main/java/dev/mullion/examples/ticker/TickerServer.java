package dev.mullion.examples.ticker;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends a tick to all its clients a hundred times a second; a slow one misses some of them. */
@Command(
    name = "ticker-server",
    showDefaultValues = true,
    description = "Sends a tick to all clients a hundred times a second over TLS, until Ctrl-C.")
public final class TickerServer implements Callable<Integer> {
  /** The clients, and how many ticks each has missed. */
  private final Map<FramedConnection, AtomicLong> clients = new ConcurrentHashMap<>();

  private long lastTick;

  @Parameters(paramLabel = "PORT", index = "0", description = "port to listen on, 0 for any")
  private int port;

  @Parameters(paramLabel = "CERTIFICATE", index = "1", description = "the certificate, PEM")
  private Path certificate;

  @Parameters(paramLabel = "KEY", index = "2", description = "its private key, PEM")
  private Path key;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private TickerServer() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new TickerServer()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (FramedServer server = FramedServer.builder()
        .port(port)
        .tls(Tls.server(certificate, key))
        .handler(this::serve)
        // Some 30 ticks: what a slow client gets is not too old.
        .outboundHighWaterMark(256 * 1024)
        .option(StandardSocketOptions.SO_SNDBUF, 64 * 1024)
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
      clock.scheduleAtFixedRate(this::tick, 10, 10, TimeUnit.MILLISECONDS);
      server.awaitTermination();
      clock.shutdownNow();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("ticker-server: " + e.getMessage());
      return 1;
    }
  }

  /** On a thread of the client's own, which waits here until the client has ended. */
  private void serve(FramedConnection client) throws IOException {
    AtomicLong missed = new AtomicLong();
    clients.put(client, missed);
    try {
      while (client.receive() != null) {
        // A client has nothing to say.
      }
    } finally {
      clients.remove(client);
      System.out.println("a client was sent " + client.counters().framesSent() + " ticks and "
          + (missed.get() == 0 ? "missed none" : "missed " + missed));
    }
  }

  /** On the clock's thread, which no client can hold up. */
  private void tick() {
    byte[] tick = (++lastTick + " " + "quotes ".repeat(1_000)).getBytes(UTF_8);
    clients.forEach((client, missed) -> {
      try {
        if (!client.trySend(tick)) {
          missed.incrementAndGet();
        }
      } catch (IOException e) {
        // It has gone; its own thread notices.
        clients.remove(client);
      }
    });
  }
}
