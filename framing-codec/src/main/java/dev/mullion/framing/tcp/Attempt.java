package dev.mullion.framing.tcp;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One attempt to connect, limited as a whole by {@code connectTimeout}. It resolves the name and
 * tries the addresses in order. The next address is tried when the previous one has failed or has
 * used its share of the time left. A slow address is not given up; the first connection that
 * succeeds is used.
 *
 * <pre>{@code
 *  |---------------------- connectTimeout -----------------------|
 *  | look-up | first of 3 addresses .............................|
 *            |--- 1/3 of the rest --| second ....................|
 *                                   |-- 1/2 of it --| third .....|
 * }</pre>
 *
 * <p>The event loop's thread calls everything, unless noted otherwise.
 */
final class Attempt implements Dial.Result {
  private final DialParts client;
  private final EventLoop loop;
  private final long start = System.nanoTime();
  private final CompletableFuture<FramedConnection> made = new CompletableFuture<>();
  private final ConnectFailures failures;
  private final Deque<SocketAddress> addresses = new ArrayDeque<>();

  /** The step in progress, if errors should name it. */
  private volatile String stage = "";

  /** The addresses that may still connect. */
  private final List<Dial> dials = new ArrayList<>(1);

  private boolean only;
  private @Nullable ScheduledFuture<?> end;
  private @Nullable ScheduledFuture<?> share;

  Attempt(DialParts client) {
    this.client = client;
    loop = client.loop();
    failures = new ConnectFailures(
        client.settings().target(),
        Math.max(1, TimeUnit.NANOSECONDS.toMillis(client.settings().connectNanos())));
  }

  /**
   * Begins the attempt; any thread may call it.
   *
   * @return completes on the event loop when frames can be sent and received, or with the error to
   *     throw
   */
  CompletableFuture<FramedConnection> begin() {
    onLoop(() -> {
      end = loop.schedule(() -> end(late()), left(), TimeUnit.NANOSECONDS);
      Path path = client.settings().path();
      if (path == null) {
        lookUp(client.settings().host());
      } else {
        resolved(List.of(client.netty().unixAddress(path)), null);
      }
    });
    return made;
  }

  private void lookUp(String host) {
    stage = "still resolving " + host;
    client.settings().lookup().start(host).whenComplete((found, error) -> {
      onLoop(() -> resolved(error == null ? withPort(found) : List.of(), error));
    });
  }

  private List<SocketAddress> withPort(List<InetAddress> found) {
    return found.stream()
        .<SocketAddress>map(
            each -> new InetSocketAddress(each, client.settings().port()))
        .toList();
  }

  private void onLoop(Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      made.completeExceptionally(new IOException("client was closed", e));
    }
  }

  private void resolved(Collection<SocketAddress> found, @Nullable Throwable error) {
    if (made.isDone()) {
      return;
    }
    if (error != null) {
      end(failures.of(error));
      return;
    }
    addresses.addAll(found);
    only = found.size() == 1;
    tryNext();
  }

  private void tryNext() {
    cancel(share);
    if (addresses.size() > 1) {
      share = loop.schedule(this::tryNext, left() / addresses.size(), TimeUnit.NANOSECONDS);
    }
    SocketAddress address = addresses.poll();
    if (address == null) {
      noteSilent();
      if (dials.isEmpty()) {
        end(failures.ofAll());
      }
      return;
    }
    Dial next = new Dial(client, address, this);
    dials.add(next);
    noteSilent();
    next.begin();
  }

  private void noteSilent() {
    stage = only || dials.isEmpty()
        ? ""
        : "no answer from "
            + dials.stream()
                .map(dial -> ConnectFailures.text(dial.address()))
                .collect(Collectors.joining(", "));
  }

  private long left() {
    return Math.max(0, client.settings().connectNanos() - (System.nanoTime() - start));
  }

  @Override
  public void failed(Dial dial, Throwable cause) {
    dials.remove(dial);
    failures.add(dial.address(), cause);
    if (!made.isDone()) {
      tryNext();
    }
  }

  @Override
  public void refused(Throwable cause) {
    end(failures.of(cause));
  }

  @Override
  public void opened(FramedConnection connection) {
    made.complete(connection);
    close();
  }

  /** Returns the error for an attempt whose time is over; any thread may call it. */
  IOException late() {
    return failures.late(stage);
  }

  /** Fails the attempt with an error, if it is still running. */
  void end(IOException why) {
    made.completeExceptionally(why);
    close();
  }

  private void close() {
    cancel(end);
    cancel(share);
    addresses.clear();
    // A dial that has opened its connection has left the attempt.
    dials.forEach(Dial::close);
    dials.clear();
  }

  private static void cancel(@Nullable ScheduledFuture<?> timer) {
    if (timer != null) {
      timer.cancel(false);
    }
  }
}
