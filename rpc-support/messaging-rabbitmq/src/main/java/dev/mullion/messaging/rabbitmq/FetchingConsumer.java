package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import dev.mullion.messaging.MissingAddressException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A consumer whose end is known: after that nothing arrives any more. */
abstract class FetchingConsumer extends DefaultConsumer {
  private static final long END_MILLIS = 2_000;

  private final FetchingSource source;
  private final String queue;
  private final CompletableFuture<@Nullable Void> ended = new CompletableFuture<>();
  private volatile String tag = "";

  FetchingConsumer(Channel channel, FetchingSource source, String queue) {
    super(channel);
    this.source = source;
    this.queue = queue;
  }

  /**
   * Starts it, with a tag of its own: to a consumer that has the tag of a cancelled one, RabbitMQ
   * delivers again what is still held of that.
   */
  final void consume() throws IOException {
    tag = Session.consume(getChannel(), queue, false, Map.of(), this);
  }

  /** Cancels it; what the broker has sent before has arrived then, or comes a little later. */
  final void cancel() throws IOException {
    if (getChannel().isOpen()) {
      getChannel().basicCancel(tag);
      ended.completeOnTimeout(null, END_MILLIS, TimeUnit.MILLISECONDS).join();
    }
  }

  /** Asks the queue something: what it had on its way is here then, and what was settled, there. */
  final void roundTrip() throws IOException {
    if (getChannel().isOpen()) {
      getChannel().queueDeclarePassive(queue);
    }
  }

  @Override
  public final void handleCancelOk(String consumer) {
    ended.complete(null);
  }

  @Override
  public final void handleCancel(String consumer) {
    ended.complete(null);
    source
        .link
        .sources()
        .fail(
            source,
            new MissingAddressException("queue " + queue + " was deleted (broker "
                + source.link.engine().where() + ")"));
  }
}
