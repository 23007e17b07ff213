package dev.mullion.examples.ticker;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** Sends a tick to all its clients a hundred times a second; a slow one misses some of them. */
public final class TickerServer {
  /** The clients, and how many ticks each has missed. */
  private final Map<FramedConnection, AtomicLong> clients = new ConcurrentHashMap<>();

  private long lastTick;

  private TickerServer() {}

  /** Runs it until Ctrl-C, with a port, a certificate's PEM file and that of its private key. */
  public static void main(String[] args) throws IOException, InterruptedException {
    TickerServer ticker = new TickerServer();
    FramedServer server = FramedServer.builder()
        .port(Integer.parseInt(args[0]))
        .tls(Tls.server(Path.of(args[1]), Path.of(args[2])))
        .handler(ticker::serve)
        // Some 30 ticks: what a slow client gets is not too old.
        .outboundHighWaterMark(256 * 1024)
        .option(StandardSocketOptions.SO_SNDBUF, 64 * 1024)
        .start();
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    System.out.println("listening on 127.0.0.1:" + server.port());
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    clock.scheduleAtFixedRate(ticker::tick, 10, 10, TimeUnit.MILLISECONDS);
    server.awaitTermination();
    clock.shutdownNow();
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
