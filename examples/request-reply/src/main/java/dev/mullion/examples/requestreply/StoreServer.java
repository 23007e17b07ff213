package dev.mullion.examples.requestreply;

import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * A key-value store. A GET takes its time, as from a slow disk. It does not delay later requests:
 * each reply is sent when it is ready.
 */
@Command(
    name = "store-server",
    showDefaultValues = true,
    description = "Keeps values by their keys, until Ctrl-C.")
public final class StoreServer implements Callable<Integer> {
  /** What one client may have asked and not been answered; beyond it, it is not read from. */
  private static final int MAX_UNANSWERED = 8;

  private static final int DISK_MILLIS = 100;

  private final Map<String, String> store = new ConcurrentHashMap<>();
  private final ScheduledExecutorService disk = Executors.newScheduledThreadPool(1, task -> {
    Thread thread = new Thread(task, "disk");
    thread.setDaemon(true);
    return thread;
  });

  @Parameters(
      paramLabel = "PORT",
      defaultValue = "7001",
      description = "port to listen on, 0 for any")
  private int port;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private StoreServer() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new StoreServer()).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    try (FramedServer server = FramedServer.builder()
        .port(port)
        .format(Message.FORMAT)
        .handler(this::serve)
        // On Ctrl-C: what was asked is still answered.
        .shutdownHook(true)
        .start()) {
      System.out.println("listening on 127.0.0.1:" + server.port());
      server.awaitTermination();
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("store-server: " + e.getMessage());
      return 1;
    }
  }

  private void serve(FramedConnection connection) throws InterruptedException {
    Semaphore unanswered = new Semaphore(MAX_UNANSWERED);
    for (byte[] frame : connection) {
      Message request = Message.decode(ByteBuffer.wrap(frame));
      unanswered.acquire();
      switch (request.type()) {
        case Message.GET ->
          disk.schedule(
              () -> answer(connection, get(request), unanswered),
              DISK_MILLIS,
              TimeUnit.MILLISECONDS);
        case Message.PUT -> answer(connection, put(request), unanswered);
        default -> answer(connection, unknown(request), unanswered);
      }
    }
    // The connection is closed when this returns: wait for the answers that are due.
    unanswered.acquire(MAX_UNANSWERED);
  }

  private Message get(Message request) {
    String value = store.get(request.text());
    return value == null
        ? request.reply(Message.NOT_FOUND, "")
        : request.reply(Message.VALUE, value);
  }

  private Message put(Message request) {
    String[] pair = request.text().split("=", 2);
    if (pair.length < 2) {
      return request.reply(Message.ERROR, "no '=' between key and value");
    }
    store.put(pair[0], pair[1]);
    return request.reply(Message.OK, "");
  }

  private static Message unknown(Message request) {
    return request.reply(Message.ERROR, "unknown type " + request.type());
  }

  /** Replies from any thread. It never waits for a slow peer, since all clients share the disk. */
  private static void answer(FramedConnection connection, Message reply, Semaphore unanswered) {
    connection.sendAsync(reply.encode()).whenComplete((sent, error) -> unanswered.release());
  }
}
