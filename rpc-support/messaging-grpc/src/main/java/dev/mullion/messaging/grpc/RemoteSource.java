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

  /** The part of the credit that the server does not know yet. */
  private long untold;

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
      untold = 0;
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
      untold += deliveries;
      on = tell();
    }
    if (on != null) {
      on.outbox.wake();
    }
  }

  /** Passes new credit on, once the server has less than half; returns the session to wake. */
  private @Nullable LinkSession tell() {
    LinkSession on = session;
    if (on == null || on.isOver() || untold == 0 || credit - untold > settings.maxInFlight() / 2) {
      return null;
    }
    on.outbox.enqueue(ClientFrame.newBuilder()
        .setCredit(Credit.newBuilder().setSubscription(id).setMessages((int) untold))
        .build());
    untold = 0;
    return on;
  }

  void deliver(LinkSession from, Deliver frame) {
    LinkSession on;
    synchronized (this) {
      credit--;
      on = tell();
    }
    if (on != null) {
      on.outbox.wake();
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

  void becameReady() {
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
