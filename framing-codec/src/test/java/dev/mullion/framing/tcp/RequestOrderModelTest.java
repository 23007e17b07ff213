package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Requests of many threads, with all that can befall one: each reply carries the number of its
 * request, and must be that request's. Requests got others' replies, for good, when one before them
 * was refused, was withdrawn while it waited for room, had its reply skipped, or when a frame was
 * sent otherwise.
 *
 * <p>A short run is part of each build; {@code -Dmullion.framing.modelSeconds=600} makes it long.
 */
class RequestOrderModelTest {
  private static final int SECONDS = Integer.getInteger("mullion.framing.modelSeconds", 1);
  private static final int THREADS = 12;
  private static final int MOST_IN_FLIGHT = 200;
  private static final int LONGEST = 1000;

  /** Whoever has not asked for less gets an answer in this time, or an error of the connection. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(LONGEST).build();

  /** What a frame asks the server to do. Its number stands behind that, and comes back. */
  private enum Ask {
    ECHO,
    LONGER_THAN_ALLOWED,
    ANSWER_LATE,
    NO_ANSWER,
    ABORT;

    @SuppressWarnings("EnumOrdinal") // Both sides are of this test.
    byte[] frame(long number, int length) {
      return ByteBuffer.allocate(length).put((byte) ordinal()).putLong(number).array();
    }
  }

  private final AtomicLong numbers = new AtomicLong();
  private final AtomicLong answered = new AtomicLong();
  private final AtomicLong failed = new AtomicLong();
  private final Queue<String> wrong = new ConcurrentLinkedQueue<>();
  private final Queue<CompletableFuture<?>> all = new ConcurrentLinkedQueue<>();
  private volatile boolean over;

  @ParameterizedTest
  @CsvSource({"SKIP, 3000, 100", "REPORT, 300, 0", "CLOSE, 100000, 50000"})
  @Timeout(value = 1, unit = TimeUnit.DAYS)
  void eachReplyIsThatOfItsRequest(TooLargePolicy policy, int highMark, int lowMark)
      throws Exception {
    long seed = System.nanoTime();
    try (FramedServer server = FramedServer.builder().handler(this::answer).start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .format(FORMAT)
            .tooLargePolicy(policy)
            .outboundHighWaterMark(highMark)
            .outboundLowWaterMark(lowMark)
            .option(StandardSocketOptions.SO_SNDBUF, 8 * 1024)
            .maxRequestsInFlight(MOST_IN_FLIGHT)
            .reconnect(Reconnect.builder()
                .firstDelay(Duration.ofMillis(1))
                .maxDelay(Duration.ofMillis(5))
                .build())
            .onConnected(this::greet)
            .connect()) {
      run(client, seed);

      assertThat(wrong).as("seed %d", seed).isEmpty();
      assertThat(answered).as("answered requests").hasValueGreaterThan(100);
      assertThat(client.counters().repliesUnrequested()).isZero();
      allPlacesAreFreeAgain(client);
    }
  }

  private void run(FramedClient client, long seed) throws Exception {
    List<CompletableFuture<Void>> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      Random random = new Random(seed + i);
      threads.add(Threads.run(() -> {
        while (!over && wrong.isEmpty()) {
          act(client, random);
        }
      }));
    }
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    // A machine that stands still for the whole of the time does not count.
    while ((System.nanoTime() < end || answered.get() <= 100) && wrong.isEmpty()) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
      all.removeIf(CompletableFuture::isDone);
    }
    over = true;
    for (CompletableFuture<Void> each : threads) {
      each.get(60, TimeUnit.SECONDS);
    }
    for (CompletableFuture<?> each : all) {
      // Whatever becomes of it, it comes to an end.
      each.handle((done, error) -> null).get(60, TimeUnit.SECONDS);
    }
  }

  private void greet(FramedConnection connection) {
    connection.sendAsync(Ask.ECHO.frame(-1, 9));
    connection.sendUnanswered(Ask.NO_ANSWER.frame(-2, 9));
    connection.sendAsync(Ask.ECHO.frame(-3, 900));
  }

  private void answer(FramedConnection connection) throws IOException {
    for (byte[] frame : connection) {
      switch (Ask.values()[frame[0]]) {
        case ECHO -> connection.send(frame);
        case LONGER_THAN_ALLOWED -> connection.send(new byte[LONGEST + 1]);
        case ANSWER_LATE -> {
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(3));
          connection.send(frame);
        }
        case NO_ANSWER -> {}
        case ABORT -> {
          connection.abort();
          return;
        }
      }
    }
  }

  private void act(FramedClient client, Random random) {
    int length = 9 + random.nextInt(random.nextBoolean() ? 20 : LONGEST - 8);
    switch (random.nextInt(16)) {
      case 0 -> request(client, Ask.ECHO, LONGEST + 1, FrameTooLargeException.class);
      case 1 -> request(client, Ask.LONGER_THAN_ALLOWED, length, FrameTooLargeException.class);
      case 2 -> request(client, Ask.ECHO, length, null).cancel(true);
      case 3 -> {
        CompletableFuture<byte[]> reply = request(client, Ask.ECHO, length, null);
        LockSupport.parkNanos(1);
        reply.complete(null);
      }
      case 4 -> timeOut(client, Ask.ANSWER_LATE, length, Duration.ofMillis(1));
      case 5 -> timeOut(client, Ask.ECHO, length, Duration.ofNanos(1));
      case 6 -> beside(client, random, length);
      case 7 -> {
        if (random.nextInt(200) == 0) {
          request(client, Ask.ABORT, length, IOException.class);
        }
      }
      default -> await(request(client, Ask.ECHO, length, null));
    }
  }

  /** Sends frames that are no requests, in each of the ways. */
  private void beside(FramedClient client, Random random, int length) {
    FramedConnection connection = client.connection();
    byte[] frame = Ask.ECHO.frame(-4, length);
    try {
      switch (random.nextInt(6)) {
        case 0 -> connection.send(frame);
        case 1 -> connection.trySend(frame);
        case 2 -> all.add(connection.sendAsync(ByteBuffer.wrap(frame)));
        case 3 -> connection.sendAsync(frame).cancel(true);
        case 4 -> connection.sendUnanswered(Ask.NO_ANSWER.frame(-5, length));
        default -> connection.trySend(new byte[LONGEST + 1]);
      }
    } catch (FrameNotSentException | FrameTooLargeException refused) {
      failed.incrementAndGet();
    } catch (IOException e) {
      wrong.add("a frame that is no request: " + e);
    }
  }

  private CompletableFuture<byte[]> request(
      FramedClient client, Ask ask, int length, @Nullable Class<? extends Exception> expected) {
    return request(client, ask, length, expected, PATIENCE);
  }

  private void timeOut(FramedClient client, Ask ask, int length, Duration timeout) {
    request(client, ask, length, null, timeout);
  }

  private CompletableFuture<byte[]> request(
      FramedClient client,
      Ask ask,
      int length,
      @Nullable Class<? extends Exception> expected,
      Duration timeout) {
    long number = numbers.incrementAndGet();
    CompletableFuture<byte[]> reply = client.request(ask.frame(number, length), timeout);
    all.add(reply);
    reply.whenComplete((frame, error) -> {
      if (error != null) {
        failed.incrementAndGet();
        checkError(number, error, timeout);
      } else if (frame != null) {
        answered.incrementAndGet();
        long got = frame.length < 9 ? -6 : ByteBuffer.wrap(frame, 1, 8).getLong();
        if (expected != null || got != number || frame.length != length) {
          wrong.add("request " + number + " (" + ask + ", " + length + " bytes) got " + frame.length
              + " bytes, the reply to " + got);
        }
      }
    });
    return reply;
  }

  private void checkError(long number, Throwable error, Duration timeout) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    if (!(cause instanceof IOException
        || (cause instanceof TimeoutException && timeout.compareTo(PATIENCE) < 0)
        || cause instanceof CancellationException)) {
      wrong.add("request " + number + " failed: " + cause);
    }
  }

  private void await(CompletableFuture<byte[]> reply) {
    try {
      reply.get(60, TimeUnit.SECONDS);
    } catch (ExecutionException | CancellationException e) {
      // It has been looked at. A refused one must not be made again and again without a pause.
      LockSupport.parkNanos(1);
    } catch (InterruptedException | TimeoutException e) {
      wrong.add("a request has no end: " + e);
    }
  }

  /** Whatever has become of the requests, each has given back its place. */
  private void allPlacesAreFreeAgain(FramedClient client) throws Exception {
    request(client, Ask.ABORT, 9, IOException.class)
        .handle((reply, error) -> null)
        .get();
    for (int round = 0; round < 3; round++) {
      settle(client);
      List<CompletableFuture<byte[]>> replies = new ArrayList<>();
      for (int i = 0; i < MOST_IN_FLIGHT; i++) {
        replies.add(request(client, Ask.ECHO, 9, null));
        if (replies.size() % 5 == 0) {
          replies.get(replies.size() - 1).get(20, TimeUnit.SECONDS);
        }
      }
      for (CompletableFuture<byte[]> each : replies) {
        assertThat(each.get(20, TimeUnit.SECONDS)).hasSize(9);
      }
    }
    assertThat(wrong).isEmpty();
  }

  /** Waits until a request is answered, over a connection that is there again. */
  private void settle(FramedClient client) throws Exception {
    Await.until("it is connected and answered", () -> {
      CompletableFuture<byte[]> reply = request(client, Ask.ECHO, 9, null);
      return reply.handle((frame, error) -> error == null).get(20, TimeUnit.SECONDS);
    });
  }
}
