package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A replier: takes its turn at the queue of a subject, which goes with the last replier. */
final class ReplierSource implements Restored {
  private static final String TAG = "replier";

  private final RabbitMqLink link;
  private final Route.Subject subject;
  private final ConsumerSettings settings;
  private final Sink sink;
  private final Object subscribing = new Object();
  private volatile @Nullable Channel channel;
  private volatile boolean cancelled;

  /** These are guarded by this. */
  private final Deque<AskedRequest> waiting = new ArrayDeque<>();

  private long credit;

  ReplierSource(RabbitMqLink link, Route.Subject subject, ConsumerSettings settings, Sink sink) {
    this.link = link;
    this.subject = subject;
    this.settings = settings;
    this.sink = sink;
  }

  @Override
  public void subscribe(Session session) throws IOException {
    synchronized (subscribing) {
      if (cancelled) {
        return;
      }
      Channel opened = session.newChannel();
      channel = opened;
      String queue = link.entities().subject(subject.name());
      LiveSource.declareShared(opened, queue, link.creates());
      opened.basicQos(Math.max(1, settings.maxInFlight()));
      opened.basicConsume(queue, false, TAG, new DefaultConsumer(opened) {
        @Override
        public void handleDelivery(
            String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
          arrived(new AskedRequest(
              link, session, opened, envelope, subject.name(), properties, body));
        }

        @Override
        public void handleCancel(String consumer) {
          failed(new MissingAddressException("queue " + queue + " was deleted"));
        }
      });
    }
  }

  private void arrived(AskedRequest request) {
    boolean isDue = false;
    synchronized (this) {
      if (!cancelled) {
        isDue = credit > 0;
        if (isDue) {
          credit--;
        } else {
          waiting.add(request);
          return;
        }
      }
    }
    if (isDue) {
      sink.deliver(request);
    } else {
      request.settle(new Outcome.GiveBack(false));
    }
  }

  @Override
  public void request(int deliveries) {
    List<AskedRequest> now = new ArrayList<>();
    synchronized (this) {
      credit += deliveries;
      while (credit > 0 && !waiting.isEmpty() && !cancelled) {
        credit--;
        now.add(waiting.remove());
      }
    }
    now.forEach(sink::deliver);
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public void lost(Session session) {
    synchronized (this) {
      waiting.removeIf(each -> each.session == session);
    }
  }

  @Override
  public void failed(MessagingException cause) {
    if (!cancelled) {
      sink.failed(cause);
    }
  }

  /** Ends the intake; what waits goes to other repliers when the broker has ended it too. */
  @Override
  public void cancel() {
    synchronized (this) {
      if (cancelled) {
        return;
      }
      cancelled = true;
    }
    link.ask(() -> {
      Channel open = channel;
      try {
        if (open != null && open.isOpen()) {
          open.basicCancel(TAG);
        }
      } catch (IOException | RuntimeException e) {
        // The session is over, or will be.
      }
      giveBackWaiting();
    });
  }

  private void giveBackWaiting() {
    List<AskedRequest> back;
    synchronized (this) {
      back = new ArrayList<>(waiting);
      waiting.clear();
    }
    back.forEach(each -> each.settle(new Outcome.GiveBack(false)));
  }

  @Override
  public void close() {
    cancel();
    if (link.forget(this)) {
      synchronized (subscribing) {
        Channel open = channel;
        if (open != null) {
          Session.abort(open);
        }
      }
    }
  }
}
