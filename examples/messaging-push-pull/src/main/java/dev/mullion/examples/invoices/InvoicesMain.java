package dev.mullion.examples.invoices;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.grpc.GrpcEngine;
import dev.mullion.messaging.grpc.MessagingServer;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Pushes invoices and prints them, in one process, in several, or on a broker. */
@Command(
    name = "invoices",
    showDefaultValues = true,
    description = "Pushes invoices to workers that print them.")
public final class InvoicesMain implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @ArgGroup
  private final Network network = new Network();

  @Option(names = "--jobs", defaultValue = "5", description = "how many invoices to push")
  private int jobs;

  @Option(
      names = "--directory",
      description = "where invoices are kept; without it, in the memory of the process")
  private Path directory;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private static final class Network {
    @Option(
        names = "--serve",
        paramLabel = "[HOST:]PORT",
        converter = HostPort.Converter.class,
        description = "pushes, and ends when workers have printed all; port 0 for any")
    private HostPort serve;

    @Option(
        names = "--connect",
        paramLabel = "HOST:PORT",
        converter = HostPort.Converter.class,
        description = "is a worker of the process that serves there, until Ctrl-C")
    private HostPort connect;

    @ArgGroup(exclusive = false)
    private BrokerOptions broker;
  }

  private InvoicesMain() {}

  public static void main(String[] args) {
    CommandLine program = new CommandLine(new InvoicesMain());
    System.exit(program.setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    rejectUnused();
    try {
      if (jobs < 0) {
        throw new IllegalArgumentException("jobs: " + jobs + " (expected: >= 0)");
      }
      if (network.serve != null) {
        serve(network.serve);
      } else if (network.connect != null) {
        work(network.connect);
      } else if (network.broker != null) {
        onBroker(network.broker);
      } else {
        inOneProcess();
      }
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("invoices: " + e.getMessage());
      return 1;
    }
  }

  private EmbeddedEngine engine() {
    return directory == null
        ? EmbeddedEngine.inMemory()
        : EmbeddedEngine.builder().directory(directory).build();
  }

  /** Rejects a number of invoices that nobody here would push, and a directory without a queue. */
  private void rejectUnused() {
    ParseResult given = spec.commandLine().getParseResult();
    boolean isWorker =
        network.connect != null || (network.broker != null && !network.broker.sends());
    if (isWorker && given.hasMatchedOption("--jobs")) {
      throw new ParameterException(
          spec.commandLine(), "--jobs: not with --connect or --only=receiver, which push none");
    }
    if (directory != null && (network.connect != null || network.broker != null)) {
      throw new ParameterException(
          spec.commandLine(), "--directory: not with --connect or --engine, which keep no queue");
    }
  }

  private void inOneProcess() throws IOException, InterruptedException {
    try (Messaging messaging = Messaging.on(engine())) {
      messaging.worker(Invoices.INVOICES).concurrency(2).start(Invoices::print);
      Invoices.push(messaging, jobs);
      awaitAll(messaging);
    }
  }

  private void serve(HostPort at) throws IOException, InterruptedException {
    try (EmbeddedBroker broker = engine().start();
        Messaging messaging = Messaging.on(broker);
        MessagingServer server =
            MessagingServer.builder(broker).host(at.host()).port(at.port()).start()) {
      System.out.println("listening on " + at.host() + ":" + server.port());
      messaging.declare(Invoices.INVOICES);
      System.out.println("invoices left from an earlier run: " + Invoices.left(messaging));
      Invoices.push(messaging, jobs);
      System.out.println("invoices to print: " + Invoices.left(messaging));
      awaitAll(messaging);
    }
  }

  private static void work(HostPort to) throws IOException, InterruptedException {
    RpcChannel channel = RpcChannel.builder().address(to.host(), to.port()).build();
    Messaging messaging =
        Messaging.builder(GrpcEngine.on(channel)).listener(new Outages()).start();
    // On Ctrl-C: a running handler finishes, and what was fetched goes back.
    Runtime.getRuntime().addShutdownHook(new Thread(messaging::close));
    messaging.pull(Invoices.INVOICES, Invoices::print);
    new CountDownLatch(1).await();
  }

  private void onBroker(BrokerOptions broker) throws IOException, InterruptedException {
    try (Messaging messaging = broker.start()) {
      if (broker.receives()) {
        messaging.worker(Invoices.INVOICES).concurrency(2).start(Invoices::print);
      }
      if (broker.sends()) {
        Invoices.push(messaging, jobs);
        System.out.println("invoices pushed: " + jobs);
      }
      if (!broker.sends()) {
        Runtime.getRuntime().addShutdownHook(new Thread(messaging::close));
        new CountDownLatch(1).await();
      } else if (broker.receives()) {
        awaitAll(messaging);
      }
    }
  }

  private static void awaitAll(Messaging messaging) throws IOException, InterruptedException {
    while (Invoices.left(messaging) > 0) {
      Thread.sleep(100);
    }
    System.out.println("no invoice is left");
    for (DeadLetter letter : Invoices.deadLetters(messaging)) {
      System.out.println("dead letter: " + letter.reason() + ", " + letter.error());
    }
  }

  private static final class Outages implements MessagingListener {
    @Override
    public void connectionLost(String where, Throwable cause) {
      System.out.println("connection lost");
    }

    @Override
    public void connectionRestored(String where, Duration outage) {
      System.out.println("connection restored");
    }
  }
}
