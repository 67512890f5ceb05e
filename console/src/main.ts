import { App } from './app.js';
import { applyTheme } from './theme.js';

applyTheme();
new App().start();
