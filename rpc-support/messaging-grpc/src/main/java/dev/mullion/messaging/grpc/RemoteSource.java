package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Credit;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.Subscribe;
import dev.mullion.messaging.grpc.v1.Unsubscribe;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A subscription of a client, across all its connections. */
final class RemoteSource implements Source {
  final long id;
  private final GrpcLink link;
  private final Route route;
  private final ConsumerSettings settings;
  private final Sink sink;
  private final CompletableFuture<Void> ready = new CompletableFuture<>();
  private volatile boolean cancelled;
  private volatile boolean established;

  /** These are guarded by this. */
  private long credit;

  private @Nullable LinkSession session;

  RemoteSource(long id, GrpcLink link, Route route, ConsumerSettings settings, Sink sink) {
    this.id = id;
    this.link = link;
    this.route = route;
    this.settings = settings;
    this.sink = sink;
  }

  /** Starts this on a session, with the credit of this moment; later credit follows it. */
  void subscribe(long frameId, LinkSession on) {
    Subscribe.Builder wire = Subscribe.newBuilder()
        .setId(frameId)
        .setSubscription(id)
        .setWindow(Math.max(1, settings.maxInFlight()))
        .setBuffer(settings.buffer())
        .setOverflow(WireQueues.of(settings.overflow()))
        .setAnnouncesBegin(true)
        .setConcurrency(settings.concurrency());
    if (route instanceof Route.Topic) {
      wire.setTopic(route.name());
    } else if (route instanceof Route.Queue queue) {
      wire.setQueue(WireQueues.of(queue));
    } else if (route instanceof Route.Subject) {
      wire.setSubject(route.name());
    } else {
      wire.setSignal(route.name());
    }
    synchronized (this) {
      session = on;
      wire.setCredit((int) credit);
      on.outbox.enqueue(ClientFrame.newBuilder().setSubscribe(wire).build());
    }
  }

  /** Notes that the server has accepted this: from now on it is restored on each connection. */
  void established() {
    established = true;
  }

  boolean isToBeRestored() {
    return established && !cancelled;
  }

  @Override
  public void request(int deliveries) {
    LinkSession on;
    synchronized (this) {
      credit += deliveries;
      on = session;
      if (on != null && !on.isOver()) {
        on.outbox.enqueue(ClientFrame.newBuilder()
            .setCredit(Credit.newBuilder().setSubscription(id).setMessages(deliveries))
            .build());
      }
    }
    if (on != null) {
      on.outbox.wake();
    }
  }

  void deliver(LinkSession from, Deliver frame) {
    synchronized (this) {
      credit--;
    }
    RemoteDelivery delivery = route instanceof Route.Subject
        ? new RemoteDelivery.Asked(link, from, frame)
        : new RemoteDelivery(link, from, frame);
    if (cancelled) {
      delivery.settle(new Outcome.GiveBack(false));
    } else {
      sink.deliver(delivery);
    }
  }

  void dropped(long messages) {
    sink.dropped(messages);
  }

  void isReady() {
    ready.complete(null);
  }

  void failed(MessagingException cause) {
    if (!cancelled) {
      ready.completeExceptionally(cause);
      sink.failed(cause);
    }
  }

  @Override
  public CompletionStage<Void> ready() {
    return ready;
  }

  @Override
  public void cancel() {
    if (!cancelled) {
      cancelled = true;
      unsubscribe(false);
    }
  }

  @Override
  public void close() {
    cancelled = true;
    if (link.forget(this)) {
      unsubscribe(true);
    }
  }

  private void unsubscribe(boolean giveBack) {
    LinkSession on;
    synchronized (this) {
      on = session;
    }
    if (on != null && !on.isOver()) {
      on.outbox.add(ClientFrame.newBuilder()
          .setUnsubscribe(Unsubscribe.newBuilder().setSubscription(id).setGiveBack(giveBack))
          .build());
    }
  }
}
