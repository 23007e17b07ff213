/**
 * The Greeter of {@code hello.proto}: {@link dev.mullion.rpc.greeter.GreeterService} is the service
 * to configure or to extend, {@link dev.mullion.rpc.greeter.GreeterClient} calls it. The messages
 * and the stubs in {@link dev.mullion.rpc.greeter.GreeterGrpc} are generated.
 */
@NullMarked
package dev.mullion.rpc.greeter;

import org.jspecify.annotations.NullMarked;
