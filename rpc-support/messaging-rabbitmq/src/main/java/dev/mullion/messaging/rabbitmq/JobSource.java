package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/** A worker's subscription to a queue or group, which knows how many jobs it holds. */
abstract class JobSource extends FetchingSource implements JobOwner {
  final Route.Queue queue;
  final AtomicInteger inFlight = new AtomicInteger();

  JobSource(RabbitMqLink link, Route.Queue queue, Sink sink, Duration patience) {
    super(link, sink, patience);
    this.queue = queue;
  }

  /**
   * Binds the queue again, if it is a group's and this side creates what is missing. Its topic may
   * be another one by now.
   */
  final void bind(Channel channel) throws IOException {
    if (link.creates()) {
      link.topology().bind(channel, link.declarations().inForce(queue));
    }
  }

  @Override
  public final Route.Queue queue() {
    return queue;
  }

  @Override
  public final int inFlight(Route.Queue of) {
    return of.id().equals(queue.id()) ? inFlight.get() : 0;
  }

  @Override
  public final void settled(Job job) {
    inFlight.decrementAndGet();
  }

  @Override
  public final RabbitMqLink link() {
    return link;
  }
}
