package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Spread;
import dev.mullion.rpc.RpcChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Compares push-pull over gRPC with plain unary calls of the same server, with 1, 64 and 512 in
 * flight: 100 bytes, from a client through the server to a worker, which is a client too. A job is
 * in flight until its handler is called. The table tells the medians, with the lowest and highest
 * round, and how many times the calls' rate the jobs' is.
 */
final class PushComparison {
  private static final int WARM_UP = 4;
  private static final int[] IN_FLIGHT = {1, 64, 512};
  private static final WorkQueue<byte[]> JOBS = WorkQueue.of("jobs", Codecs.bytes());

  private PushComparison() {}

  /** Runs alone. Arguments: the number of rounds, the milliseconds of each. */
  public static void main(String[] args) throws Exception {
    run(Integer.parseInt(args[0]), Long.parseLong(args[1]) * 1_000_000);
  }

  /** Runs all rounds and prints the table. */
  static void run(int rounds, long nanos) throws Exception {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        MessagingServer server = MessagingServer.builder(broker)
            .rpc(rpc -> rpc.addService(RequestComparison.echo()))
            .start();
        RpcChannel calls = RequestComparison.channel(server);
        RpcChannel pushes = RequestComparison.channel(server);
        RpcChannel pulls = RequestComparison.channel(server);
        Messaging worker = Messaging.on(GrpcEngine.on(pulls));
        Messaging client = Messaging.on(GrpcEngine.on(pushes))) {
      Jobs jobs = new Jobs(client);
      worker.worker(JOBS).prefetch(1_000).start(job -> jobs.handled());
      measure(new RequestComparison.Calls(calls), jobs, rounds, nanos);
    }
  }

  private static void measure(
      RequestComparison.Target calls, RequestComparison.Target jobs, int rounds, long nanos)
      throws Exception {
    System.out.println("| 100 bytes, in flight | unary calls a second | jobs a second | times |");
    System.out.println("| --- | --- | --- | --- |");
    for (int inFlight : IN_FLIGHT) {
      List<Double> called = new ArrayList<>();
      List<Double> handled = new ArrayList<>();
      for (int round = -WARM_UP; round < rounds; round++) {
        double before = RequestComparison.rate(calls, inFlight, nanos);
        double after = RequestComparison.rate(jobs, inFlight, nanos);
        if (round >= 0) {
          called.add(before);
          handled.add(after);
        }
      }
      System.out.printf(
          Locale.ROOT,
          "| %d | %s | %s | %.2f |%n",
          inFlight,
          Spread.of(called, "%,.0f"),
          Spread.of(handled, "%,.0f"),
          Spread.median(handled) / Spread.median(called));
    }
  }

  /** Jobs, which are handled in their order. */
  private static final class Jobs implements RequestComparison.Target {
    private final Messaging messaging;
    private final byte[] payload = new byte[RequestComparison.BYTES];
    private final ConcurrentLinkedQueue<RequestComparison.End> waiting =
        new ConcurrentLinkedQueue<>();

    Jobs(Messaging messaging) {
      this.messaging = messaging;
    }

    void handled() {
      RequestComparison.End end = waiting.poll();
      if (end == null) {
        throw new IllegalStateException("handled more often than pushed");
      }
      end.ended(null);
    }

    @Override
    public void begin(RequestComparison.End end) {
      waiting.add(end);
      messaging.push(JOBS, payload).whenComplete((pushed, error) -> {
        if (error != null) {
          end.ended(error);
        }
      });
    }

    @Override
    public void await() throws Exception {
      messaging.push(JOBS, payload).get();
    }
  }
}
