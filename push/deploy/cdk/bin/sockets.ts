import { App } from 'aws-cdk-lib';
import { SocketsStack } from '../lib/sockets-stack';

const app = new App();
new SocketsStack(app, 'Sockets', { description: 'A WebSocket API with a roster of connections, and a queue and a topic whose messages go to the clients.' });
