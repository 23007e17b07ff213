package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.message;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Validate;
import org.junit.jupiter.api.Test;

/**
 * Lincheck runs operations in many interleavings, down to single reads and writes. After each run
 * nothing may be lost or doubled, and nothing may wait beside a worker that has credit: the last is
 * what the lock-free paths of credit and turns could break.
 */
class EmbeddedLincheckTest {
  private static final int ITERATIONS = Integer.getInteger("messaging.lincheck.iterations", 2);
  private static final int INVOCATIONS = Integer.getInteger("messaging.lincheck.invocations", 30);

  private static void check(Class<?> operations) {
    new ModelCheckingOptions()
        .iterations(ITERATIONS)
        .invocationsPerIteration(INVOCATIONS)
        .threads(2)
        .actorsPerThread(2)
        .actorsBefore(2)
        .actorsAfter(0)
        .sequentialSpecification(Nothing.class)
        .check(operations);
  }

  @Test
  void aQueueLosesNothingInAnyInterleaving() {
    check(QueueOperations.class);
  }

  @Test
  void aSubscribersBufferLosesNothingInAnyInterleaving() {
    check(BufferOperations.class);
  }

  /** The results of all operations: none. What counts is the state after them. */
  public static class Nothing {
    /** Has no result. */
    public void push() {}

    /** Has no result. */
    public void request() {}

    /** Has no result. */
    public void acknowledge() {}

    /** Has no result. */
    public void giveBack() {}
  }

  /** What both have: a sink that counts, and what was asked for. */
  abstract static class Operations implements Sink {
    final ConcurrentLinkedQueue<RawDelivery> inbox = new ConcurrentLinkedQueue<>();
    final AtomicInteger pushed = new AtomicInteger();
    final AtomicInteger asked = new AtomicInteger();
    final AtomicInteger delivered = new AtomicInteger();
    final AtomicInteger ended = new AtomicInteger();
    final EmbeddedFixture embedded = new EmbeddedFixture();
    final Route route;
    final Source source;

    Operations(Route route, Overflow overflow) {
      this.route = route;
      try {
        source = embedded.link.consume(route, new ConsumerSettings(8, 8, 2, overflow), this);
      } catch (MessagingException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    public void deliver(RawDelivery delivery) {
      delivered.incrementAndGet();
      inbox.add(delivery);
    }

    @Override
    public void dropped(long messages) {
      ended.addAndGet((int) messages);
    }

    @Override
    public void failed(MessagingException cause) {
      throw new AssertionError(cause);
    }

    @Operation
    public void push() {
      pushed.incrementAndGet();
      EmbeddedFixture.send(embedded.link, route, message("a"));
    }

    @Operation
    public void request() {
      asked.incrementAndGet();
      source.request(1);
    }

    @Operation
    public void acknowledge() {
      RawDelivery delivery = inbox.poll();
      if (delivery != null) {
        delivery.settle(new Outcome.Acknowledge());
        ended.incrementAndGet();
      }
    }

    void check(long waiting, long handedOut) {
      int credit = asked.get() - delivered.get();
      if (pushed.get() != waiting + handedOut + ended.get() || handedOut != inbox.size()) {
        throw new IllegalStateException("pushed " + pushed + ", waiting " + waiting + ", in flight "
            + handedOut + ", ended " + ended + ", in the inbox " + inbox.size());
      }
      if (credit < 0 || (credit > 0 && waiting > 0)) {
        throw new IllegalStateException(waiting + " wait beside a credit of " + credit);
      }
    }
  }

  /** A queue with one worker, which also gives back, and one that comes and goes. */
  public static class QueueOperations extends Operations {
    /** Creates the queue. */
    public QueueOperations() {
      super(EmbeddedFixture.queue("jobs"), Overflow.FAIL);
    }

    /** Gives a delivery back, which then waits or is handed out again. */
    @Operation
    public void giveBack() {
      RawDelivery delivery = inbox.poll();
      if (delivery != null) {
        delivery.settle(new Outcome.GiveBack(false));
      }
    }

    /** Compares the counts. */
    @Validate
    public void nothingIsLost() throws Exception {
      QueueStatus status = embedded.status("jobs");
      check(status.waiting(), status.inFlight());
    }
  }

  /** A subscriber whose buffer drops the oldest. */
  public static class BufferOperations extends Operations {
    /** Creates the subscriber. */
    public BufferOperations() {
      super(new Route.Topic("news"), Overflow.DROP_OLDEST);
    }

    /** Compares the counts. */
    @Validate
    public void nothingIsLost() {
      LiveSource live = (LiveSource) source;
      check(live.buffered(), inbox.size());
    }
  }
}
