package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.CorruptFrameException;
import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.LengthEncoding;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.HeldLocks;
import dev.mullion.framing.testing.Threads;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.buffer.UnpooledHeapByteBuf;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whatever calls into user code, or completes a future on which user code may hang, holds no lock:
 * many threads do everything at once, what is called looks at the locks that its thread holds, and
 * then calls back into the library. Futures were completed under the lock of the frames to send,
 * and the event loop and a thread that made a request waited for each other for ever.
 */
@Timeout(value = 1, unit = TimeUnit.DAYS)
class LocksAndCallbacksTest {
  private static final int SECONDS = Integer.getInteger("mullion.framing.modelSeconds", 1);
  private static final int THREADS = 6;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(1000).build();

  private static final List<String> KINDS = List.of(
      "request done",
      "request failed with CancellationException",
      "request failed with FrameTooLargeException",
      "request failed with TimeoutException",
      "request failed with FrameNotSentException",
      "request failed with IOException",
      "sendAsync done",
      "sendAsync failed with FrameTooLargeException",
      "closed() done",
      "onConnected",
      "opened",
      "frames",
      "inputEnded",
      "closed",
      "a logger",
      "the deallocation of a buffer",
      "onSubscribe",
      "onNext",
      "onError");

  /** Which calls have been seen. */
  private final Set<String> calls = ConcurrentHashMap.newKeySet();

  private final Set<String> wrong = ConcurrentHashMap.newKeySet();
  private final Queue<CompletableFuture<?>> all = new ConcurrentLinkedQueue<>();
  private final Set<FramedConnection> connections = ConcurrentHashMap.newKeySet();
  private final AtomicLong lookedAt = new AtomicLong(System.nanoTime());
  private final AtomicInteger depth = new AtomicInteger();
  private final AtomicReference<@Nullable FramedClient> requester = new AtomicReference<>();
  private final AtomicInteger lengthsWritten = new AtomicInteger();
  private volatile boolean over;

  /** To be called by all that the library calls. */
  private void called(String by) {
    calls.add(by);
    for (FramedConnection connection : connections) {
      if (isLockedByThisThread(connection)) {
        wrong.add(by + " was called under a lock of " + connection);
      }
    }
    // Those that this test does not know, and monitors, now and then.
    long now = System.nanoTime();
    long last = lookedAt.get();
    if (now - last > LOOK_NANOS && lookedAt.compareAndSet(last, now)) {
      List<String> held = HeldLocks.ofThisThread();
      if (!held.isEmpty()) {
        wrong.add(by + " was called with " + held);
      }
    }
    callBack();
  }

  private static boolean isLockedByThisThread(FramedConnection connection) {
    return connection.link().outbound().lock.isHeldByCurrentThread()
        || (connection.link() instanceof QueueLink link
            && (link.inbox().arrivals.lock.isHeldByCurrentThread()
                || link.inbox().taking.isHeldByCurrentThread()));
  }

  private void callBack() {
    FramedClient client = over ? null : requester.get();
    // Each call back may be followed by others, but not without end.
    if (client != null && depth.incrementAndGet() < 20) {
      client.request(new byte[20]).whenComplete((reply, error) -> depth.decrementAndGet());
      client.connection().sendAsync(new byte[5]).cancel(false);
    } else {
      depth.decrementAndGet();
    }
  }

  private <T> CompletableFuture<T> watched(String name, CompletableFuture<T> future) {
    all.add(future);
    future.whenComplete((done, error) ->
        called(name + (error == null ? " done" : " failed with " + shortly(error))));
    return future;
  }

  private static String shortly(Throwable error) {
    return error.getClass().getSimpleName();
  }

  @Test
  void nothingIsCalledUnderALock() throws Exception {
    long seed = System.nanoTime();
    Logger logger = Logger.getLogger("dev.mullion.framing.tcp");
    Handler log = new WatchingLog();
    logger.addHandler(log);
    try (FramedServer server = FramedServer.builder()
            .slowHandlerLimit(Duration.ZERO)
            .batchHandler(WatchingEcho::new)
            .start();
        FramedClient client = client(server.port())) {
      requester.set(client);
      List<CompletableFuture<Void>> threads = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        Random random = new Random(seed + i);
        threads.add(Threads.run(() -> {
          while (!over) {
            act(client, server.port(), random);
          }
        }));
      }
      waitAndLookForDeadlocks();
      for (CompletableFuture<Void> each : threads) {
        each.get(60, TimeUnit.SECONDS);
      }
      for (CompletableFuture<?> each : all) {
        each.handle((done, error) -> null).get(60, TimeUnit.SECONDS);
      }
    } finally {
      logger.removeHandler(log);
    }
    assertThat(wrong).as("seed %d", seed).isEmpty();
    assertThat(calls).containsAll(KINDS);
  }

  /** It was called under the lock of the frames to send. Small marks have some frames wait. */
  @Test
  void lengthEncodingWritesUnderNoLock() throws Exception {
    FrameFormat format =
        FrameFormat.builder().lengthEncoding(new WatchingLength()).build();
    try (FramedServer server = FramedServer.builder()
            .format(format)
            .outboundHighWaterMark(100)
            .batchHandler(() -> this::answer)
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .format(format)
            .outboundHighWaterMark(100)
            .onConnected(connections::add)
            .connect()) {
      FramedConnection connection = client.connection();
      for (int length : new int[] {1, 50, 99, 101, 5000}) {
        byte[] frame = new byte[length];
        connection.send(frame);
        connection.send(ByteBuffer.wrap(frame));
        connection.send(Unpooled.wrappedBuffer(frame));
        connection.trySend(frame);
        connection.trySend(Unpooled.wrappedBuffer(frame));
        connection.sendAsync(frame);
        connection.sendAsync(Unpooled.wrappedBuffer(frame));
        connection.sendUnanswered(frame);
        connection.link().outbound().sendLock.format(format);
      }
      connection.send(new byte[] {'e'});
      assertThat(lengthsWritten).hasValueGreaterThan(20);
      Await.until("the server has answered", () -> calls.contains("answer"));
    }
    try (FramedServer server = FramedServer.builder()
            .format(format)
            .batchHandler(() -> (connection, batch) -> {
              for (int i = 0; i < batch.size(); i++) {
                connection.reply(batch.bytes(i));
              }
            })
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .format(format)
            .onConnected(connections::add)
            .connect()) {
      assertThat(client.request(new byte[9]).get(20, TimeUnit.SECONDS)).hasSize(9);
    }
    assertThat(wrong).isEmpty();
  }

  /** In every way that a batch handler has, ahead of each other and behind. */
  private void answer(FramedConnection connection, FrameBatch batch) {
    connections.add(connection);
    byte[] last = batch.bytes(batch.size() - 1);
    try {
      connection.reply(last);
      connection.trySend(last);
      connection.reply(last);
      connection.sendAsync(last);
      connection.sendAsync(last);
      connection.reply(last);
      connection.reply(batch.encoded());
    } catch (IOException e) {
      wrong.add("not sent: " + e);
    }
    if (last.length == 1 && last[0] == 'e') {
      calls.add("answer");
    }
  }

  private final class WatchingLength implements LengthEncoding {
    private final LengthEncoding hex = LengthEncoding.asciiHex(4);

    @Override
    public int minWidth() {
      return hex.minWidth();
    }

    @Override
    public int maxWidth() {
      return hex.maxWidth();
    }

    @Override
    public long maxValue() {
      return hex.maxValue();
    }

    @Override
    public long read(ByteBuffer in) throws CorruptFrameException {
      return hex.read(in);
    }

    @Override
    public void write(long value, ByteBuffer out) throws CorruptFrameException {
      lengthsWritten.incrementAndGet();
      for (FramedConnection connection : connections) {
        if (isLockedByThisThread(connection)) {
          wrong.add("a length was written under a lock of " + connection);
        }
      }
      List<String> held = HeldLocks.ofThisThread();
      if (!held.isEmpty()) {
        wrong.add("a length was written with " + held);
      }
      hex.write(value, out);
    }
  }

  private FramedClient client(int port) throws IOException {
    return FramedClient.builder()
        .port(port)
        .format(FORMAT)
        .tooLargePolicy(TooLargePolicy.SKIP)
        .outboundHighWaterMark(3000)
        .outboundLowWaterMark(100)
        .option(StandardSocketOptions.SO_SNDBUF, 8 * 1024)
        .maxRequestsInFlight(200)
        .reconnect(Reconnect.builder()
            .firstDelay(Duration.ofMillis(1))
            .maxDelay(Duration.ofMillis(5))
            .build())
        .onConnected(connection -> {
          connections.add(connection);
          connection.closed().whenComplete((done, error) -> {
            called("closed() done");
            connections.remove(connection);
          });
          called("onConnected");
        })
        .connect();
  }

  private void waitAndLookForDeadlocks() {
    long start = System.nanoTime();
    long end = start + TimeUnit.SECONDS.toNanos(SECONDS);
    long last = start + TimeUnit.SECONDS.toNanos(SECONDS + 60);
    while (wrong.isEmpty()
        && (System.nanoTime() < end || (System.nanoTime() < last && !calls.containsAll(KINDS)))) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
      all.removeIf(CompletableFuture::isDone);
    }
    over = true;
    long[] locked = ManagementFactory.getThreadMXBean().findDeadlockedThreads();
    if (locked != null) {
      wrong.add(locked.length + " threads wait for each other's locks");
    }
  }

  private void act(FramedClient client, int port, Random random) {
    FramedConnection connection = client.connection();
    byte[] frame = new byte[1 + random.nextInt(1000)];
    switch (random.nextInt(14)) {
      case 0 -> watched("request", client.request(new byte[1001]));
      case 1 -> watched("request", client.request(frame)).cancel(true);
      case 2 -> watched("request", client.request(frame, Duration.ofNanos(1)));
      case 3 -> watched("sendAsync", connection.sendAsync(new byte[1001]));
      case 4 -> watched("sendAsync", connection.sendAsync(frame));
      case 5 -> watched("sendAsync", connection.sendAsync(buffer(random.nextInt(1002))));
      case 6 -> {
        // What waits is sent in the format in which it was taken.
        connection.link().outbound().sendLock.format(FORMAT);
        watched("sendAsync", connection.sendAsync(ByteBuffer.wrap(frame))).cancel(false);
      }
      case 7 -> watched("request", client.request(new byte[] {'L'}));
      case 8 -> {
        if (random.nextInt(20) == 0) {
          watched("request", client.request(new byte[] {'A'}));
        }
      }
      case 9 -> {
        if (random.nextInt(20) == 0) {
          subscribe(port, random.nextInt(3));
        }
      }
      default -> {
        watched("request", client.request(frame)).handle((reply, error) -> null).join();
      }
    }
  }

  /** Another connection, whose frames go to a subscriber, and which ends well or badly. */
  private void subscribe(int port, int way) {
    FrameFormat small =
        FrameFormat.builder().maxFrameLength(way == 0 ? 10 : 1000).build();
    try (FramedClient client = FramedClient.builder().port(port).format(small).connect()) {
      WatchingSubscriber subscriber = new WatchingSubscriber();
      FramedConnection connection = client.connection();
      connections.add(connection);
      connection.publisher().subscribe(subscriber);
      connection.sendAsync(new byte[5]);
      try (SubmissionPublisher<byte[]> source = new SubmissionPublisher<>()) {
        source.subscribe(connection.subscriber());
        source.submit(new byte[] {'L'});
        source.submit(new byte[] {(byte) (way == 2 ? 'A' : 'B')});
      }
      subscriber.ended.get(20, TimeUnit.SECONDS);
      connections.remove(connection);
    } catch (IOException e) {
      // The listener's queue may be full.
      called("connect failed");
    } catch (Exception e) {
      wrong.add("a subscriber has no end: " + e);
    }
  }

  private ByteBuf buffer(int length) {
    return new UnpooledHeapByteBuf(UnpooledByteBufAllocator.DEFAULT, length, length) {
      @Override
      protected void deallocate() {
        called("the deallocation of a buffer");
        super.deallocate();
      }
    }.writeZero(length);
  }

  private final class WatchingLog extends Handler {
    @Override
    public void publish(LogRecord entry) {
      called("a logger");
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  private final class WatchingEcho implements BatchHandler {
    @Override
    public void opened(FramedConnection connection) {
      connections.add(connection);
      called("opened");
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      called("frames");
      for (int i = 0; i < batch.size(); i++) {
        byte[] frame = batch.bytes(i);
        if (frame.length == 1 && frame[0] == 'A') {
          connection.abort();
        } else {
          connection.reply(frame.length == 1 && frame[0] == 'L' ? new byte[1001] : frame);
        }
      }
    }

    @Override
    public void inputEnded(FramedConnection connection) {
      called("inputEnded");
      connection.closeWhenSent();
    }

    @Override
    public void closed(FramedConnection connection, @Nullable Throwable cause) {
      called("closed");
      connections.remove(connection);
    }
  }

  private final class WatchingSubscriber implements Flow.Subscriber<byte[]> {
    final CompletableFuture<Void> ended = new CompletableFuture<>();

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      called("onSubscribe");
      subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(byte[] frame) {
      called("onNext");
    }

    @Override
    public void onError(Throwable error) {
      called("onError");
      ended.complete(null);
    }

    @Override
    public void onComplete() {
      called("onComplete");
      ended.complete(null);
    }
  }
}
