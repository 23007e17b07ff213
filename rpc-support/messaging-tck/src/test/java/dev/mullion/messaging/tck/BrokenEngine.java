package dev.mullion.messaging.tck;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The embedded engine with one defect: the suite must find it. */
final class BrokenEngine implements Engine, EngineUnderTest {

  /** What is broken. */
  enum Defect {
    NONE,
    LOSES_ONE_IN_A_THOUSAND,
    DUPLICATES,
    FORGETS_COUNTS,
    BREAKS_KEY_ORDER,
    BLOCKS_IN_SEND,
    DELIVERS_BEYOND_CREDIT,
    REDELIVERS_TOO_EARLY,
    LOSES_WHAT_IS_GIVEN_BACK,
    ACKNOWLEDGES_NOTHING_ON_STOP,
    MIXES_UP_REPLIES
  }

  private final Defect defect;
  private final EmbeddedBroker broker;
  private final AtomicLong count = new AtomicLong();

  BrokenEngine(Defect defect) throws MessagingException {
    this.defect = defect;
    this.broker = EmbeddedEngine.inMemory().start();
  }

  @Override
  public Engine engine() {
    return this;
  }

  @Override
  public Profile profile() {
    // What is lost never comes: no need to wait for it for long.
    Profile profile = Profile.defaults()
        .withDeadlines(Duration.ofSeconds(30), Duration.ofSeconds(defect == Defect.NONE ? 30 : 2));
    return switch (defect) {
      case NONE -> profile.withLoad(0.2);
      case LOSES_ONE_IN_A_THOUSAND -> profile.withLoad(0.5);
      default -> profile.withLoad(0.1);
    };
  }

  @Override
  public String name() {
    return "embedded, broken: " + defect;
  }

  @Override
  public List<Guarantees> guarantees() {
    return broker.guarantees();
  }

  @Override
  public MessagingClock clock() {
    return broker.clock();
  }

  @Override
  public void close() {
    broker.close();
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    EngineEvents events =
        defect == Defect.MIXES_UP_REPLIES ? new MixingEvents(context.events()) : context.events();
    return new BrokenLink(broker.open(new EngineContext(
        events, context.callbacks(), context.maxPending(), context.sendTimeout())));
  }

  private boolean each(int number) {
    return count.incrementAndGet() % number == 0;
  }

  private final class BrokenLink extends ForwardingLink {
    BrokenLink(EngineLink link) {
      super(link);
    }

    @Override
    public CompletionStage<Void> send(Route route, Message<byte[]> message) {
      if (defect == Defect.LOSES_ONE_IN_A_THOUSAND && each(1000)) {
        return CompletableFuture.completedFuture(null);
      }
      if (defect == Defect.DUPLICATES && each(20)) {
        super.send(route, message);
      }
      return super.send(route, message);
    }

    @Override
    public boolean trySend(Route.Signal signal, Message<byte[]> message) {
      if (defect == Defect.BLOCKS_IN_SEND) {
        boolean sent = super.trySend(signal, message);
        if (!sent) {
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2)); // waits for room
        }
        return sent || super.trySend(signal, message);
      }
      return super.trySend(signal, message);
    }

    @Override
    public Source consume(Route route, ConsumerSettings settings, Sink sink)
        throws MessagingException {
      BrokenSink broken = new BrokenSink(sink);
      Source source = super.consume(route, settings, broken);
      return new ForwardingSource(source) {
        @Override
        public void request(int deliveries) {
          super.request(deliveries + (defect == Defect.DELIVERS_BEYOND_CREDIT ? 1 : 0));
        }

        @Override
        public void cancel() {
          broken.cancelled = true;
          super.cancel();
        }
      };
    }
  }

  private final class BrokenSink implements Sink {
    private final Sink sink;
    private final AtomicReference<@Nullable RawDelivery> held = new AtomicReference<>();
    private volatile boolean cancelled;

    BrokenSink(Sink sink) {
      this.sink = sink;
    }

    @Override
    public void deliver(RawDelivery delivery) {
      switch (defect) {
        case FORGETS_COUNTS -> sink.deliver(new Forgetful(delivery));
        case REDELIVERS_TOO_EARLY, LOSES_WHAT_IS_GIVEN_BACK, ACKNOWLEDGES_NOTHING_ON_STOP ->
          sink.deliver(ForwardingDelivery.settling(delivery, this::settle));
        case BREAKS_KEY_ORDER -> swap(delivery);
        default -> sink.deliver(delivery);
      }
    }

    private CompletionStage<Settlement> settle(RawDelivery delivery, Outcome outcome) {
      if (defect == Defect.REDELIVERS_TOO_EARLY && outcome instanceof Outcome.Redeliver failed) {
        return delivery.settle(new Outcome.Redeliver(failed.delay().dividedBy(2), failed.error()));
      }
      if (defect == Defect.LOSES_WHAT_IS_GIVEN_BACK && outcome instanceof Outcome.GiveBack) {
        return delivery.settle(new Outcome.Acknowledge());
      }
      if (defect == Defect.ACKNOWLEDGES_NOTHING_ON_STOP && cancelled) {
        return delivery.settle(new Outcome.GiveBack(false));
      }
      return delivery.settle(outcome);
    }

    /** Hands out each tenth message after the next one. */
    private void swap(RawDelivery delivery) {
      RawDelivery earlier = held.getAndSet(null);
      if (earlier == null && each(10)) {
        held.set(delivery);
        FaultyLink.LATER.schedule(this::deliverHeld, 20, TimeUnit.MILLISECONDS);
        return;
      }
      sink.deliver(delivery);
      if (earlier != null) {
        sink.deliver(earlier);
      }
    }

    private void deliverHeld() {
      RawDelivery earlier = held.getAndSet(null);
      if (earlier != null) {
        sink.deliver(earlier);
      }
    }

    @Override
    public void dropped(long messages) {
      sink.dropped(messages);
    }

    @Override
    public void failed(MessagingException cause) {
      sink.failed(cause);
    }
  }

  private static final class Forgetful extends ForwardingDelivery {
    Forgetful(RawDelivery delivery) {
      super(delivery, RawDelivery::settle);
    }

    @Override
    public int failures() {
      return Math.min(1, super.failures());
    }
  }

  /** Exchanges the messages of two replies. */
  private static final class MixingEvents implements EngineEvents {
    private final EngineEvents events;
    private final AtomicReference<@Nullable Reply> held = new AtomicReference<>();

    MixingEvents(EngineEvents events) {
      this.events = events;
    }

    @Override
    public void replied(Reply reply) {
      if (reply.message().isEmpty()) {
        events.replied(reply);
        return;
      }
      Reply earlier = held.getAndSet(reply);
      if (earlier == null) {
        return;
      }
      if (held.compareAndSet(reply, null)) {
        events.replied(new Reply(earlier.id(), reply.status(), reply.message(), reply.error()));
        events.replied(new Reply(reply.id(), earlier.status(), earlier.message(), earlier.error()));
      } else {
        events.replied(earlier);
      }
    }

    @Override
    public void connectionLost(String where, Throwable cause) {
      events.connectionLost(where, cause);
    }

    @Override
    public void connectionRestored(String where, Duration outage) {
      events.connectionRestored(where, outage);
    }
  }
}
