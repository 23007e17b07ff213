package dev.mullion.framing.tcp;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * An attempt to connect, all of it within {@code connectTimeout}: looks the name up, and tries its
 * addresses one after the other, each for its share of the time that is left.
 *
 * <pre>{@code
 *  |---------------------- connectTimeout -----------------------|
 *  | look-up | first of 3 addresses | second      | third        |
 *            |--- 1/3 of the rest --|- 1/2 of it -|- all of it --|
 * }</pre>
 *
 * <p>All but what is said otherwise is called by the event loop's thread.
 */
final class Attempt {
  private final TcpConnector client;
  private final EventLoop loop;
  private final long start = System.nanoTime();
  private final CompletableFuture<FramedConnection> made = new CompletableFuture<>();
  private final ConnectFailures failures;
  private final Deque<SocketAddress> addresses = new ArrayDeque<>();

  /** What it waits for, if that is to be said. */
  private volatile String stage = "";

  private @Nullable Dial dial;
  private @Nullable ScheduledFuture<?> timer;

  Attempt(TcpConnector client) {
    this.client = client;
    loop = client.loop;
    failures = new ConnectFailures(
        client.target(),
        Math.max(1, TimeUnit.NANOSECONDS.toMillis(client.settings.connectNanos())));
  }

  /**
   * Begins; any thread may call it.
   *
   * @return completes on the event loop, when frames can go to and fro, or with the error to throw
   */
  CompletableFuture<FramedConnection> begin() {
    Path path = client.settings.path();
    if (path != null) {
      onLoop(() -> resolved(List.of(client.transport.unixAddress(path)), null));
      return made;
    }
    onLoop(this::lookUp);
    return made;
  }

  private void lookUp() {
    stage = "the look-up of " + client.settings.host() + " has not ended";
    timer = loop.schedule(
        () -> end(failures.late(stage)), client.settings.connectNanos(), TimeUnit.NANOSECONDS);
    client.settings.lookup().start(client.settings.host()).whenComplete((found, error) -> {
      onLoop(() -> resolved(error == null ? withPort(found) : List.of(), error));
    });
  }

  private List<SocketAddress> withPort(List<InetAddress> found) {
    return found.stream()
        .<SocketAddress>map(each -> new InetSocketAddress(each, client.settings.port()))
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
    tryNext();
  }

  private void tryNext() {
    cancelTimer();
    SocketAddress address = addresses.peek();
    if (address == null) {
      end(failures.ofAll());
      return;
    }
    boolean only = addresses.size() == 1 && dial == null;
    stage = only ? "" : "no answer from " + address + " yet";
    long share = Math.max(0, left() / addresses.size());
    addresses.remove();
    Dial next = new Dial(client, address, this);
    dial = next;
    long millis = only
        ? Math.max(1, TimeUnit.NANOSECONDS.toMillis(client.settings.connectNanos()))
        : TimeUnit.NANOSECONDS.toMillis(share);
    next.begin(millis);
    if (dial == next && !made.isDone()) {
      timer = loop.schedule(
          () -> next.fail(new TimeoutException(address.toString())), share, TimeUnit.NANOSECONDS);
    }
  }

  private long left() {
    return client.settings.connectNanos() - (System.nanoTime() - start);
  }

  /** Says that an address cannot be connected to. */
  void failed(SocketAddress address, Throwable cause, long millis) {
    failures.add(address, cause, millis);
    if (!made.isDone()) {
      tryNext();
    }
  }

  /** Says that a connection is there, but that what the user does with it at first has failed. */
  void refused(Throwable cause) {
    end(failures.of(cause));
  }

  /** Says that it is there. */
  void opened(FramedConnection connection) {
    cancelTimer();
    made.complete(connection);
  }

  /** Returns the error of one that its caller does not wait for any longer; any thread may call it. */
  IOException late() {
    return failures.late(stage);
  }

  /** Ends it with an error, if it is still on. */
  void end(IOException why) {
    cancelTimer();
    if (made.completeExceptionally(why) && dial != null) {
      dial.close();
    }
  }

  private void cancelTimer() {
    if (timer != null) {
      timer.cancel(false);
      timer = null;
    }
  }
}
