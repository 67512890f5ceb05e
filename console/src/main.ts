import { App } from './app.js';
import { askForKeys } from './login.js';
import { applyTheme } from './theme.js';

applyTheme();
askForKeys();
new App().start();
