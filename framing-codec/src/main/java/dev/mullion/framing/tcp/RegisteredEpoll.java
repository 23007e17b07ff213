package dev.mullion.framing.tcp;

import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import org.jspecify.annotations.Nullable;

/**
 * An epoll handler that keeps every socket registered. Netty 4.2.18 unregisters a socket without
 * interest in events, and cannot register it again. If a peer ended its side while it was not read
 * from, or while data for it was queued, its connection was lost (netty pull request 16689). Here
 * such a socket stays registered for a single report of its end.
 */
final class RegisteredEpoll implements IoHandler {
  private final IoHandler epoll;

  private RegisteredEpoll(IoHandler epoll) {
    this.epoll = epoll;
  }

  static IoHandlerFactory newFactory() {
    IoHandlerFactory epoll = EpollIoHandler.newFactory();
    return executor -> new RegisteredEpoll(epoll.newHandler(executor));
  }

  @Override
  public IoRegistration register(IoHandle handle) throws Exception {
    return new Registration(epoll.register(handle));
  }

  @Override
  public void initialize() {
    epoll.initialize();
  }

  @Override
  public int run(IoHandlerContext context) {
    return epoll.run(context);
  }

  @Override
  public void prepareToDestroy() {
    epoll.prepareToDestroy();
  }

  @Override
  public void destroy() {
    epoll.destroy();
  }

  @Override
  public void wakeup() {
    epoll.wakeup();
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> handleType) {
    return epoll.isCompatible(handleType);
  }

  /** A registered socket. Used only by its event loop's thread. */
  private static final class Registration implements IoRegistration {
    private final IoRegistration place;
    private boolean added;

    Registration(IoRegistration place) {
      this.place = place;
    }

    @Override
    public long submit(IoOps ops) {
      if (!EpollIoOps.NONE.equals(ops)) {
        added = true;
      } else if (added) {
        // Errors and hang-ups are always reported; edge-triggered, only once.
        place.submit(EpollIoOps.EPOLLET);
        return 0;
      }
      return place.submit(ops);
    }

    @Override
    @SuppressWarnings("TypeParameterUnusedInFormals") // As Netty declares it.
    public <T> @Nullable T attachment() {
      return place.attachment();
    }

    @Override
    public boolean isValid() {
      return place.isValid();
    }

    @Override
    public boolean cancel() {
      return place.cancel();
    }
  }
}
