package dev.mullion.framing.tcp;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * The open connections of a server; each leaves at its end. Any thread may call it. A set without
 * an object for each connection, and one listener for all of them.
 */
final class OpenConnections {
  private final TcpCounters totals;
  private final ChannelFutureListener listener = done -> remove(done.channel());
  private final Set<Channel> open = Collections.newSetFromMap(new IdentityHashMap<>());

  private final List<CompletableFuture<Void>> allClosed = new ArrayList<>();

  private boolean closing;

  OpenConnections(TcpCounters totals) {
    this.totals = totals;
  }

  /** Adds a connection; after {@link #close} it is closed at once. */
  void add(Channel connection) {
    boolean late;
    synchronized (open) {
      open.add(connection);
      late = closing;
    }
    connection.closeFuture().addListener(listener);
    if (late) {
      connection.close();
    }
  }

  private void remove(Channel connection) {
    List<CompletableFuture<Void>> complete = List.of();
    synchronized (open) {
      open.remove(connection);
      if (open.isEmpty()) {
        complete = List.copyOf(allClosed);
      }
    }
    totals.connectionsOpen.decrementAndGet();
    complete.forEach(future -> future.complete(null));
  }

  int size() {
    synchronized (open) {
      return open.size();
    }
  }

  List<Channel> copy() {
    synchronized (open) {
      return List.copyOf(open);
    }
  }

  /** Returns a future that is complete once there are none. */
  CompletableFuture<Void> allClosed() {
    CompletableFuture<Void> future = new CompletableFuture<>();
    boolean none;
    synchronized (open) {
      none = open.isEmpty();
      allClosed.add(future);
    }
    if (none) {
      future.complete(null);
    }
    return future;
  }

  /** Closes all, and those that are added later. */
  void close() {
    synchronized (open) {
      closing = true;
    }
    copy().forEach(Channel::close);
  }
}
