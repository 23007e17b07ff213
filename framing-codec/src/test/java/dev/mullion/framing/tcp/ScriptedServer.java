package dev.mullion.framing.tcp;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;

/** A server over real sockets that does to each connection what a test wants. */
final class ScriptedServer implements AutoCloseable {
  /** What is done to a connection that was accepted. */
  interface Script {
    void run(Socket accepted, int number) throws Exception;
  }

  /** When a connection was accepted, and when its script had ended. */
  record Visit(long acceptedAt, long endedAt) {}

  final List<Visit> visits = new CopyOnWriteArrayList<>();
  final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
  private final Queue<Socket> open = new ConcurrentLinkedQueue<>();
  private final ServerSocket listener = new ServerSocket();

  /** Closes each connection when its script has ended, unless the script keeps it. */
  private ScriptedServer(String host, int port, Script script) throws IOException {
    listener.setReuseAddress(true);
    listener.bind(new InetSocketAddress(InetAddress.getByName(host), port), 50);
    Thread thread = new Thread(() -> accept(script), "scripted-server");
    thread.setDaemon(true);
    thread.start();
  }

  static ScriptedServer start(Script script) throws IOException {
    return new ScriptedServer("127.0.0.1", 0, script);
  }

  static ScriptedServer start(String host, int port, Script script) throws IOException {
    return new ScriptedServer(host, port, script);
  }

  /** A script that keeps a connection and says nothing. */
  static void keep(Socket accepted, int number) {}

  private void accept(Script script) {
    try {
      while (true) {
        Socket accepted = listener.accept();
        long acceptedAt = System.nanoTime();
        open.add(accepted);
        try {
          script.run(accepted, visits.size());
        } catch (Exception e) {
          failures.add(e);
        }
        visits.add(new Visit(acceptedAt, System.nanoTime()));
      }
    } catch (IOException closed) {
      if (!listener.isClosed()) {
        failures.add(closed);
      }
    }
  }

  int port() {
    return listener.getLocalPort();
  }

  /** Listens no more; connections stay. */
  void refuse() throws IOException {
    listener.close();
  }

  /** Ends this side of every connection. */
  void end() throws IOException {
    for (Socket each : open) {
      if (!each.isClosed() && !each.isOutputShutdown()) {
        each.shutdownOutput();
      }
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket each : open) {
      each.close();
    }
  }
}
