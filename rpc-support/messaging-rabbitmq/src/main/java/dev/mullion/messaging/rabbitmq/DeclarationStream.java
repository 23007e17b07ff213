package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.MessagingException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Reads the stream of declarations on one session. The broker's count of a stream is some seconds
 * old, so the end is found in another way:
 *
 * <pre>
 *  1  a consumer from "last" on    gets the first record of the last chunk: its offset
 *  2  a consumer from "first" on   reads up to that offset, and is cancelled: what the broker has
 *                                  sent until then includes the rest of that chunk
 *  3  a consumer from there on     follows
 * </pre>
 */
final class DeclarationStream {
  private static final String OFFSET = "x-stream-offset";
  private static final int PREFETCH = 200;

  private final Session session;
  private final String name;
  private final BrokerErrors errors;
  private final Consumer<BasicProperties> records;
  private volatile long read = -1;

  DeclarationStream(
      Session session, String name, BrokerErrors errors, Consumer<BasicProperties> records) {
    this.session = session;
    this.name = name;
    this.errors = errors;
    this.records = records;
  }

  /**
   * Returns if a stream can be used, and fails if not. RabbitMQ closes the connection of a client
   * that uses a stream which another one is just creating; so this takes a connection of its own.
   */
  static void tryOn(Connection own, String name) throws IOException, TimeoutException {
    try (own;
        Channel channel = own.createChannel()) {
      channel.basicQos(1);
      Session.consume(channel, name, false, Map.of(OFFSET, "last"), new DefaultConsumer(channel));
    }
  }

  /** Returns the offset of the last chunk; -1 if none comes within the time. */
  long last(long timeoutMillis) throws IOException, TimeoutException {
    CompletableFuture<Long> first = new CompletableFuture<>();
    try (Channel channel = session.newChannel()) {
      channel.basicQos(1);
      consume(channel, "last", new Reader(channel) {
        @Override
        void record(long offset, BasicProperties properties) {
          first.complete(offset);
        }
      });
      return first.completeOnTimeout(-1L, timeoutMillis, TimeUnit.MILLISECONDS).join();
    }
  }

  /** Reads all records up to that offset, and then follows. */
  void read(long last, long timeoutMillis) throws IOException, MessagingException {
    Channel channel = session.newChannel();
    boolean follows = false;
    try {
      channel.basicQos(PREFETCH);
      if (last >= 0) {
        readUpTo(last, channel, timeoutMillis);
      }
      follow(channel);
      follows = true;
    } finally {
      if (!follows) {
        Session.abort(channel);
      }
    }
    channel.addShutdownListener(cause -> {
      if (!cause.isHardError()) { // else what others declare would not be seen
        session.fail(cause);
      }
    });
  }

  private void readUpTo(long last, Channel channel, long timeoutMillis)
      throws IOException, MessagingException {
    CompletableFuture<Void> reached = new CompletableFuture<>();
    CompletableFuture<Void> ended = new CompletableFuture<>();
    String tag = consume(channel, "first", new Reader(channel) {
      @Override
      void record(long offset, BasicProperties properties) {
        take(offset, properties);
        if (offset >= last) {
          reached.complete(null);
        }
      }

      @Override
      public void handleCancelOk(String consumer) {
        ended.complete(null);
      }
    });
    Waiting.await(reached, timeoutMillis, errors, "reading " + name);
    channel.basicCancel(tag);
    Waiting.await(ended, timeoutMillis, errors, "reading " + name);
  }

  private void follow(Channel channel) throws IOException {
    consume(channel, read < 0 ? "first" : read + 1, new Reader(channel) {
      @Override
      void record(long offset, BasicProperties properties) {
        take(offset, properties);
      }

      @Override
      public void handleCancel(String consumer) {
        session.fail(new IOException("the stream " + name + " was deleted"));
      }
    });
  }

  private void take(long offset, BasicProperties properties) {
    if (offset > read) { // a consumer that starts within a chunk may see its beginning again
      read = offset;
      records.accept(properties);
    }
  }

  private String consume(Channel channel, Object offset, Reader reader) throws IOException {
    return Session.consume(channel, name, false, Map.of(OFFSET, offset), reader);
  }

  /** Takes records, and acknowledges each, which is the credit for the next one. */
  private abstract class Reader extends DefaultConsumer {
    Reader(Channel channel) {
      super(channel);
    }

    abstract void record(long offset, BasicProperties properties);

    @Override
    public void handleDelivery(
        String tag, Envelope envelope, BasicProperties properties, byte[] body) {
      record(Wire.number(Wire.headers(properties), OFFSET, 0), properties);
      session.acknowledge(getChannel(), envelope.getDeliveryTag());
    }
  }
}
