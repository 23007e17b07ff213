package dev.mullion.messaging.grpc;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.testing.ProcessorTime;
import dev.mullion.messaging.testing.Spread;
import dev.mullion.rpc.RpcChannel;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Compares requests over gRPC with plain unary calls of the same server: 100 bytes there and back,
 * on one connection over loopback. Each round measures the rate with 64 in flight and then how long
 * one alone takes, for each kind in turn, in the same process. A request is answered by a replier
 * in the server's process, as a call is, and then by one that is a client itself, one connection
 * further. The table tells the medians of all rounds but the first ones, which warm up, with the
 * lowest and highest round; the processor's time is that of both sides together. Then {@link
 * PushComparison} does the same for push-pull. Arguments: the number of rounds (11), the
 * milliseconds of each (1000).
 */
final class RequestComparison {
  static final int BYTES = 100;
  private static final int IN_FLIGHT = 64;
  private static final int WARM_UP = 4;
  private static final int ALONE = 2_000;
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Subject<byte[], byte[]> HERE =
      Subject.of("here", Codecs.bytes(), Codecs.bytes());
  private static final Subject<byte[], byte[]> THERE =
      Subject.of("there", Codecs.bytes(), Codecs.bytes());
  private static final MethodDescriptor<byte[], byte[]> ECHO =
      MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("comparison.Echo/Call")
          .build();

  private RequestComparison() {}

  /** Runs all rounds and prints the table. */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 11;
    long nanos = (args.length > 1 ? Long.parseLong(args[1]) : 1_000) * 1_000_000;
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        MessagingServer server =
            MessagingServer.builder(broker).rpc(rpc -> rpc.addService(echo())).start();
        RpcChannel calls = channel(server);
        RpcChannel requests = channel(server);
        RpcChannel replies = channel(server);
        Messaging inside = Messaging.on(broker);
        Messaging replier = Messaging.on(GrpcEngine.on(replies));
        Messaging client = Messaging.on(GrpcEngine.on(requests))) {
      inside.replier(HERE).start(question -> question.payload());
      replier
          .replier(THERE)
          .start(question -> question.payload())
          .ready()
          .toCompletableFuture()
          .get();
      List<Case> cases = List.of(
          new Case("unary call", new Calls(calls)),
          new Case("request, replier in the server", new Requests(client, HERE)),
          new Case("request, replier a client", new Requests(client, THERE)));
      run(cases, rounds, nanos);
      print(cases);
    }
    PushComparison.run(rounds, nanos);
  }

  /** Returns the service of the plain calls. */
  static ServerServiceDefinition echo() {
    return ServerServiceDefinition.builder("comparison.Echo")
        .addMethod(ECHO, ServerCalls.asyncUnaryCall((request, observer) -> {
          observer.onNext(request);
          observer.onCompleted();
        }))
        .build();
  }

  static RpcChannel channel(MessagingServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port()).build();
  }

  private static void run(List<Case> cases, int rounds, long nanos) throws Exception {
    for (int round = -WARM_UP; round < rounds; round++) {
      for (int i = 0; i < cases.size(); i++) {
        cases.get(Math.floorMod(i + round, cases.size())).run(nanos, round >= 0);
      }
    }
  }

  private static void print(List<Case> cases) {
    Case unary = cases.get(0);
    System.out.println("| 100 bytes | a second, 64 in flight | times | CPU of each, us"
        + " | p50 alone, us | times |");
    System.out.println("| --- | --- | --- | --- | --- | --- |");
    for (Case each : cases) {
      System.out.printf(
          Locale.ROOT,
          "| %s | %s | %.2f | %s | %s | %.2f |%n",
          each.name,
          Spread.of(each.rates, "%,.0f"),
          Spread.median(each.rates) / Spread.median(unary.rates),
          Spread.of(each.processor, "%.1f"),
          Spread.of(each.alone, "%.1f"),
          Spread.median(each.alone) / Spread.median(unary.alone));
    }
  }

  /** Returns how many a second there are when one thread keeps so many in flight. */
  static double rate(Target target, int inFlight, long nanos) throws Exception {
    Semaphore free = new Semaphore(inFlight);
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    long begin = System.nanoTime();
    long count = 0;
    while (System.nanoTime() - begin < nanos && failure.get() == null) {
      free.acquire();
      target.begin(error -> {
        if (error != null) {
          failure.set(error);
        }
        free.release();
      });
      count++;
    }
    free.acquire(inFlight);
    Throwable failed = failure.get();
    if (failed != null) {
      throw new ExecutionException("one failed", failed);
    }
    return count * 1e9 / (System.nanoTime() - begin);
  }

  /** A row of the table. */
  private static final class Case {
    private final String name;
    private final Target target;
    private final List<Double> rates = new ArrayList<>();
    private final List<Double> processor = new ArrayList<>();
    private final List<Double> alone = new ArrayList<>();

    Case(String name, Target target) {
      this.name = name;
      this.target = target;
    }

    void run(long nanos, boolean counts) throws Exception {
      long before = ProcessorTime.nanos();
      double rate = rate(target, IN_FLIGHT, nanos);
      double used = (ProcessorTime.nanos() - before) / 1e3 / (rate * nanos / 1e9);
      double p50 = alone();
      if (counts) {
        rates.add(rate);
        processor.add(used);
        alone.add(p50);
      }
    }

    /** Returns the median of one after the other, in microseconds. */
    private double alone() throws Exception {
      long[] times = new long[ALONE];
      for (int i = 0; i < times.length; i++) {
        long begin = System.nanoTime();
        target.await();
        times[i] = System.nanoTime() - begin;
      }
      Arrays.sort(times);
      return times[times.length / 2] / 1e3;
    }
  }

  /** What is told when one has ended. */
  interface End {
    void ended(@Nullable Throwable error);
  }

  /** What is measured. */
  interface Target {
    void begin(End end);

    void await() throws Exception;
  }

  /** Plain unary calls. */
  static final class Calls implements Target {
    private final Channel channel;
    private final byte[] payload = new byte[BYTES];

    Calls(Channel channel) {
      this.channel = channel;
    }

    private ListenableFuture<byte[]> call() {
      return ClientCalls.futureUnaryCall(channel.newCall(ECHO, CallOptions.DEFAULT), payload);
    }

    @Override
    public void begin(End end) {
      ListenableFuture<byte[]> call = call();
      call.addListener(
          () -> {
            Throwable error = null;
            try {
              call.get();
            } catch (ExecutionException | InterruptedException e) {
              error = e;
            }
            end.ended(error);
          },
          MoreExecutors.directExecutor());
    }

    @Override
    public void await() throws Exception {
      call().get();
    }
  }

  /** Requests. */
  private static final class Requests implements Target {
    private final Messaging messaging;
    private final Subject<byte[], byte[]> subject;
    private final byte[] payload = new byte[BYTES];

    Requests(Messaging messaging, Subject<byte[], byte[]> subject) {
      this.messaging = messaging;
      this.subject = subject;
    }

    @Override
    public void begin(End end) {
      messaging.request(subject, payload, TIMEOUT).whenComplete((reply, error) -> end.ended(error));
    }

    @Override
    public void await() throws Exception {
      messaging.request(subject, payload, TIMEOUT).get();
    }
  }

  /** Bytes as they are. */
  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
