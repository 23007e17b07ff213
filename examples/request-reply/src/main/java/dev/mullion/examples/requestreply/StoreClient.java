package dev.mullion.examples.requestreply;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.tcp.BatchHandler;
import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedConnection;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Asks a store. Many requests may be under way; replies find theirs by the correlation id. */
final class StoreClient implements AutoCloseable {
  private final Map<Integer, CompletableFuture<Message>> waiting = new ConcurrentHashMap<>();
  private final AtomicInteger lastId = new AtomicInteger();
  private final FramedClient client;

  private StoreClient(String host, int port) throws IOException {
    client = FramedClient.builder()
        .host(host)
        .port(port)
        .format(Message.FORMAT)
        .batchHandler(new Replies())
        .connect();
  }

  static StoreClient connect(String host, int port) throws IOException {
    return new StoreClient(host, port);
  }

  /**
   * Sends a request. It fails with an {@link IOException} if the connection ends before the reply,
   * and with a {@link java.util.concurrent.TimeoutException} after 10 seconds.
   */
  CompletableFuture<Message> ask(byte type, String text) {
    Message request = new Message(type, lastId.incrementAndGet(), text);
    CompletableFuture<Message> reply = new CompletableFuture<>();
    waiting.put(request.id(), reply);
    reply
        .orTimeout(10, TimeUnit.SECONDS)
        .whenComplete((message, error) -> waiting.remove(request.id()));
    client.connection().sendAsync(request.encode()).whenComplete((sent, error) -> {
      if (error != null) {
        reply.completeExceptionally(error);
      }
    });
    return reply;
  }

  @Override
  public void close() {
    client.close();
  }

  /** Called on the event loop, with as many replies as have come. */
  private final class Replies implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      for (int i = 0; i < batch.size(); i++) {
        Message reply = Message.decode(batch.buffer().nioBuffer(batch.offset(i), batch.length(i)));
        CompletableFuture<Message> asked = waiting.remove(reply.id());
        if (asked != null) {
          asked.complete(reply);
        }
      }
    }

    @Override
    public void closed(FramedConnection connection, Throwable cause) {
      IOException error = new IOException("connection ended before the reply", cause);
      waiting.values().forEach(reply -> reply.completeExceptionally(error));
    }
  }
}
