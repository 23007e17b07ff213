package dev.mullion.framing.tcp;

import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.ImmediateEventExecutor;

/**
 * The open connections of a server. It also counts down at each end, so that a connection needs one
 * listener for both.
 */
final class OpenConnections extends DefaultChannelGroup {
  private static final boolean CLOSES_WHAT_COMES_LATE = true;

  private final TcpCounters totals;

  OpenConnections(TcpCounters totals) {
    super(ImmediateEventExecutor.INSTANCE, CLOSES_WHAT_COMES_LATE);
    this.totals = totals;
  }

  /** Called when a connection is closed. */
  @Override
  public boolean remove(Object connection) {
    boolean removed = super.remove(connection);
    if (removed) {
      totals.connectionsOpen.decrementAndGet();
    }
    return removed;
  }
}
